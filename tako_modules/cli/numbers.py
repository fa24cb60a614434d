"""Numbers that verbs take, called by people's words where one is wrong."""

import click

__all__ = ["Number", "WholeNumber"]


class Number(click.FloatRange):
    """A number within bounds."""

    name = "number"


class WholeNumber(click.IntRange):
    """A whole number within bounds."""

    name = "whole number"
