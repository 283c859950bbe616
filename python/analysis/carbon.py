"""Carbon intensity of electricity by country: yearly means, life cycle, g CO2e per kWh.

Source: Ember, Yearly Electricity Data (life-cycle emissions of generation), year 2023, as published
by Our World in Data in "Carbon intensity of electricity generation"
(https://ourworldindata.org/grapher/carbon-intensity-electricity), rounded here to 10 g. A yearly
mean says nothing about the hour in which an experiment ran, nor about imports.
"""

from dataclasses import dataclass

#: Where every figure of this table comes from.
SOURCE = "Ember, Yearly Electricity Data (via Our World in Data)"

#: The year of the figures.
YEAR = 2023


@dataclass(frozen=True)
class Intensity:
    """Mean emissions of one kilowatt-hour of electricity generated in a place."""

    code: str
    place: str
    grams_per_kwh: float

    def describe(self) -> str:
        """The place, year and source in one line."""
        return f"{self.place}, {YEAR} mean; {SOURCE}"


#: The table, the world first.
TABLE: tuple[Intensity, ...] = (
    Intensity("WORLD", "World", 480),
    Intensity("EU", "European Union", 240),
    Intensity("AU", "Australia", 550),
    Intensity("AT", "Austria", 110),
    Intensity("BE", "Belgium", 140),
    Intensity("BR", "Brazil", 100),
    Intensity("CA", "Canada", 170),
    Intensity("CN", "China", 580),
    Intensity("DK", "Denmark", 150),
    Intensity("FI", "Finland", 80),
    Intensity("FR", "France", 60),
    Intensity("DE", "Germany", 380),
    Intensity("IN", "India", 710),
    Intensity("IT", "Italy", 330),
    Intensity("JP", "Japan", 490),
    Intensity("NL", "Netherlands", 270),
    Intensity("NO", "Norway", 30),
    Intensity("PL", "Poland", 660),
    Intensity("ES", "Spain", 170),
    Intensity("SE", "Sweden", 40),
    Intensity("GB", "United Kingdom", 240),
    Intensity("US", "United States", 370),
)

#: What is used when nothing is said: the world's mean.
DEFAULT = TABLE[0]


def find(place: str) -> Intensity | None:
    """The entry of a two-letter code or a name, in any case of letters."""
    wanted = place.casefold()
    found = (e for e in TABLE if wanted in (e.code.casefold(), e.place.casefold()))
    return next(found, None)
