"""The harness itself, on a widget that counts: what runs, what fails, what it looks like."""

import pytest

COUNTER = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default {
        render({ model, el }) {
            const button = document.createElement("button");
            const show = () => { button.textContent = `count ${model.get("count")}`; };
            button.onclick = () => {
                model.set("count", model.get("count") + 1);
                model.save_changes();
            };
            model.on("change:count", show);
            show();
            el.append(button);
        }
    };
    """
    count = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


@pytest.mark.slow
def test_a_widget_is_drawn_pressed_and_heard_in_the_kernel(opened):
    with opened([COUNTER, "counter.count += 40", "assert counter.count == 41"]) as notebook:
        notebook.run_cell(0)
        button = notebook.page.get_by_role("button", name="count")
        button.click()
        notebook.page.get_by_text("count 1", exact=True).wait_for()
        notebook.run_cell(1)
        notebook.page.get_by_text("count 41", exact=True).wait_for()
        notebook.run_cell(2)
        colours = {}
        for theme in ("light", "dark"):
            notebook.theme(theme)
            colours[theme] = notebook.page.evaluate(
                "() => getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"
            )
            assert notebook.screenshot(f"harness-{theme}").stat().st_size > 1000
        assert colours["light"] != colours["dark"]
        assert notebook.complaints == []


@pytest.mark.slow
def test_an_error_is_told_in_the_words_of_the_cell(opened):
    cells = ["import asyncio\nawait asyncio.sleep(0)", "raise OSError('no card')", "1 + 1"]
    with opened(cells) as notebook, pytest.raises(AssertionError, match="OSError: no card"):
        notebook.run_all()


@pytest.mark.slow
def test_whoever_wants_less_motion_is_asked(opened):
    with opened(["1 + 1"], width=700) as notebook:
        notebook.run_all()
        asks = "() => matchMedia('(prefers-reduced-motion: reduce)').matches"
        assert not notebook.page.evaluate(asks)
        notebook.reduce_motion()
        assert notebook.page.evaluate(asks)
        notebook.resize(1000)
        assert notebook.page.evaluate("() => innerWidth") == 1000
