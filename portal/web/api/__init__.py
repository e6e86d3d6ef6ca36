"""REST of what belongs to no app: who calls, their tokens, the cluster as a whole, the schema. And all its routes."""
