"""Everything that touches the world: engines, foreign formats, simulated and recorded sources. One folder each."""
