"""How an account's API answers, as shapes without values: recorded beside a run, compared with what a tap expects."""
