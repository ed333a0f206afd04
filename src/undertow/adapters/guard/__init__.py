"""The guard's book on disk: what is in force, its audit trail, where it stands, and every version of a policy that has served.

Everything is kept in the store and, a second time, in a folder beside it, so that a store that is lost undoes nothing.
"""
