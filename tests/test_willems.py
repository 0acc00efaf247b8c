"""The workbook of Willems (2008): a chain of its form, made up here, mapped by hand."""

import pytest

import gnn_inventory as gi
from gnn_inventory.errors import InputError

openpyxl = pytest.importorskip("openpyxl")
COLUMNS = ["Stage Name", "stageCost", "stageClassification", "avgDemand", "stdDevDemand", "serviceLevel", "stageTime"]
STAGES = [
    ["Part_1", 3.0, "Part", None, None, None, 30.0],
    ["Part_2", 2.0, "Part", None, None, None, 12.0],
    ["Manuf", 5.0, "Manuf", None, None, None, 4.4],
    ["Dist", 0.0, "Dist", None, None, None, 0.2],
    ["Retail_1", 1.0, "Retail", 20.0, 6.0, 0.9, 2.0],
    ["Retail_2", 1.0, "Retail", 10.0, 4.0, None, 3.0],
]
LINKS = [["Part_1", "Manuf"], ["Part_2", "Manuf"], ["Manuf", "Dist"], ["Dist", "Retail_1"], ["Dist", "Retail_2"]]


def written(path, stages=STAGES, links=LINKS, columns=COLUMNS):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, head, rows in (("07_SD", columns, stages), ("07_LL", ["sourceStage", "destinationStage"], links)):
        sheet = workbook.create_sheet(name)
        for row in (head, *rows):
            sheet.append(row)
    workbook.save(path)
    return path


def test_a_chain_is_cut_where_it_assembles(tmp_path):
    """Value up to Manuf, Dist: 3 + 2 + 5 = 10; to the shops 11. Underage at level 0.9: 9 times, at 0.95: 19 times holding."""
    network = gi.load_network(f"{written(tmp_path / 'chains.xlsx')}#07")
    assert gi.check_network(network) == []
    assert network.graph["source"] == (
        "Willems (2008), chain 07; 1 stages that assemble buy their components from a supplier, 2 of 6 stages left out"
    )
    assert {pair: link["lead_time"] for *pair, link in network.edges(data=True) for pair in [tuple(pair)]} == {
        ("supplier", "Manuf"): 4,
        ("Manuf", "Dist"): 1,
        ("Dist", "Retail_1"): 2,
        ("Dist", "Retail_2"): 3,
    }
    assert network.nodes["Dist"] == {"holding_cost": pytest.approx(0.010)}
    first, second = network.nodes["Retail_1"], network.nodes["Retail_2"]
    assert first["holding_cost"] == pytest.approx(0.011)
    assert first["underage_cost"] == pytest.approx(9 * 0.011)
    assert second["underage_cost"] == pytest.approx(19 * 0.011)
    assert first["demand"] == {"normal": {"mean": 20.0, "std": 6.0, "clip": True}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": [name.replace("stageTime", "time") for name in COLUMNS]}, r"sheet '07_SD': column 'stageTime': missing"),
        (
            {"stages": [*STAGES, [None, 1.0, "Retail", 50.0, 5.0, 0.9, 2.0]]},
            r"sheet '07_SD', row 8: got nothing in the first column",
        ),
        ({"links": [*LINKS, ["Dist", "Retail_9"]]}, r"link to or from 'Retail_9': no such stage"),
        ({"links": [*LINKS, ["Dist", "Manuf"]]}, r"links go in a circle \((Manuf -> Dist|Dist -> Manuf)\)"),
        ({"links": [*LINKS, ["Dist", "Dist"]]}, r"links go in a circle \(Dist\)"),
        ({"links": [*LINKS, LINKS[-1]]}, r"chain 07: link 'Dist' -> 'Retail_2' stands twice"),
        ({"stages": [*STAGES, ["supplier", *STAGES[0][1:]]]}, r"stage 'supplier': so is called here where goods enter"),
        ({"stages": [*STAGES, STAGES[0]]}, r"chain 07: stage 'Part_1' stands twice"),
        (
            {"stages": [*STAGES[:5], [*STAGES[5][:5], 95, 3.0]]},
            r"serviceLevel: got 95.*; expected a number >= 0 and below 1, such as 0\.95",
        ),
        ({"stages": [[*STAGES[0][:6], -1.0], *STAGES[1:]]}, r"stage 'Part_1': stageTime: got -1\.0; expected a number >= 0"),
    ],
)
def test_mistakes_of_a_workbook_are_said(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        gi.load_network(f"{written(tmp_path / 'chains.xlsx', **change)}#07")


def test_a_chain_is_named(tmp_path):
    file = written(tmp_path / "chains.xlsx")
    with pytest.raises(InputError, match=r"name one of its chains: .*chains\.xlsx#07"):
        gi.load_network(file)
    with pytest.raises(InputError, match=r"no chain '08'; one of: 07"):
        gi.load_network(f"{file}#08")
    (tmp_path / "no.xlsx").write_text("no workbook")
    with pytest.raises(InputError, match="not readable as a workbook"):
        gi.load_network(f"{tmp_path / 'no.xlsx'}#07")
