"""What is done about what was measured: pure decisions on rollouts, restrictions and gates, and the values they change."""
