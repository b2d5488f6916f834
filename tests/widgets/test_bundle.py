"""Bundles of ES modules, compared in Node with the modules themselves."""

import shutil
import subprocess

import pytest

from jamlab.resources import client_folder
from jamlab.widgets.bundle import BundleError, bundle, read_modules

MODULES = {
    "base.js": "// import { nothing } from './nowhere.js'\n"
    "const hidden = 1;\n"
    'export const WORD = "one";\n'
    "export function twice(value) {\n  return 2 * (value + hidden);\n}\n",
    "left.js": 'import { WORD, twice } from "./base.js";\n'
    "const hidden = 2;\n"
    "/** @param {import('./base.js').X} x */\n"
    "export class Left {\n  said = WORD + twice(hidden);\n}\n",
    "deep/right.js": 'import { twice as double } from "../base.js";\n'
    "export async function later() {\n  return double(/** @type {import('x').Y} */ (20));\n}\n",
}
ENTRY = (
    'import {\n  Left,\n} from "./left.js";\n'
    'import { later } from "./deep/right.js";\n'
    "console.log(JSON.stringify([new Left().said, await later()]));\n"
    "export default { Left };\n"
)


def node(*arguments):
    path = shutil.which("node")
    if path is None:
        pytest.skip("there is no Node.js: apt-get install nodejs")
    done = subprocess.run(
        [path, "--no-warnings", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bundle_does_what_its_modules_do(tmp_path):
    for name, text in {**MODULES, "entry.js": ENTRY}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "bundle.js").write_text(bundle(ENTRY, MODULES))
    theirs = node(str(tmp_path / "entry.js"))
    assert theirs == '["one6",42]\n'
    assert node(str(tmp_path / "bundle.js")) == theirs


def test_a_worklet_is_in_the_bundle(tmp_path):
    worklet = "registerProcessor('ä', class {}); // </script>\n"
    modules = {
        "worklets/one.js": f'import {{ twice }} from "../base.js";\n{worklet}',
        "base.js": MODULES["base.js"],
    }
    entry = (
        "const { resolveObjectURL } = process.getBuiltinModule('node:buffer');\n"
        'const blob = resolveObjectURL("worklets/one.js");\n'
        "const text = await blob.text();\n"
        "console.log(blob.type, text.includes('const { twice } = $base;'));\n"
        "console.log(text.slice(text.indexOf('registerProcessor')));\n"
    )
    (tmp_path / "bundle.mjs").write_text(bundle(entry, modules), encoding="utf-8")
    said = node(str(tmp_path / "bundle.mjs"))
    assert said == f"text/javascript true\n{worklet}\n"


@pytest.mark.parametrize(
    ("entry", "modules", "words"),
    [
        ('import { a } from "./a.js";\n', {}, "entry needs 'a.js', which is not there"),
        (
            'import { a } from "./a.js";\n',
            {
                "a.js": 'import { b } from "./b.js";\nexport const a = b;\n',
                "b.js": 'import { a } from "./a.js";\nexport const b = a;\n',
            },
            "in a circle: a.js → b.js → a.js",
        ),
        ('f("worklets/a.js");\n', {}, "entry needs 'worklets/a.js', which is not there"),
        *(
            ('import { a } from "./a.js";\n', {"a.js": text}, "a.js has a line that cannot be")
            for text in (
                "export let a = 1;\n",
                "const a = 1;\nexport { a };\n",
                "export default 1;\n",
                'import * as all from "./b.js";\nexport const a = 1;\n',
                'import "./b.js";\nexport const a = 1;\n',
                'export const a = () => import("./b.js");\n',
                "export const a = import.meta.url;\n",
            )
        ),
    ],
)
def test_what_cannot_be_bundled_is_refused(entry, modules, words):
    with pytest.raises(BundleError, match=words.replace("(", r"\(")):
        bundle(entry, modules)


def test_the_reference_client_can_be_bundled(tmp_path):
    modules = read_modules(client_folder())
    made = bundle(modules["main.js"], modules)
    assert '"worklets/' not in made
    assert '"workers/' not in made
    (tmp_path / "bundle.mjs").write_text(made, encoding="utf-8")
    node("--check", str(tmp_path / "bundle.mjs"))
