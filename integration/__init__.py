"""The suite among the programs that people use with it: public targets, Meltano, Dagster, a browser."""
