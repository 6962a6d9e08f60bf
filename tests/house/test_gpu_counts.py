"""The counts of launches and bytes in programs for GPUs, on small programs counted by hand."""

import pytest
from helpers.house import ROOT

FLOATS = 4 * 100  # bytes of f32[100]

STRAIGHT = """\
HloModule jit_f, is_scheduled=true

%fused_computation (param_0: f32[100], param_1: f32[100]) -> (f32[100], f32[10]) {
  %param_0 = f32[100]{0} parameter(0)
  %param_1 = f32[100]{0} parameter(1)
  %slice.1 = f32[10]{0} slice(%param_1), slice={[0:10]}
  %add.1 = f32[100]{0} add(%param_0, %param_0)
  ROOT %tuple.1 = (f32[100]{0}, f32[10]{0}) tuple(%add.1, %slice.1)
}

ENTRY %main.1 (x: f32[100], y: f32[100]) -> f32[10] {
  %x = f32[100]{0} parameter(0)
  %y = f32[100]{0} parameter(1)
  %loop_fusion.1 = (f32[100]{0}, /*index=1*/f32[10]{0}) fusion(%x, %y), kind=kLoop, \
calls=%fused_computation
  %get-tuple-element.1 = f32[10]{0} get-tuple-element(%loop_fusion.1), index=1
  %copy.1 = f32[10]{0} copy(%get-tuple-element.1)
  ROOT %bitcast.1 = f32[10]{0} bitcast(%copy.1)
}
"""

SCATTER = """\
%adder (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add = f32[] add(%a, %b)
}

%fused_scatter (param_0: f32[5,20], param_1: s32[10,2], param_2: f32[10]) -> f32[4,25] {
  %param_0 = f32[5,20]{1,0} parameter(0)
  %param_1 = s32[10,2]{1,0} parameter(1)
  %param_2 = f32[10]{0} parameter(2)
  %scatter.1 = f32[5,20]{1,0} scatter(%param_0, %param_1, %param_2), to_apply=%adder
  ROOT %bitcast.1 = f32[4,25]{1,0} bitcast(%scatter.1)
}

ENTRY %main.1 (x: f32[5,20], i: s32[10,2], y: f32[10]) -> f32[4,25] {
  %x = f32[5,20]{1,0} parameter(0)
  %i = s32[10,2]{1,0} parameter(1)
  %y = f32[10]{0} parameter(2)
  ROOT %scatter_fusion.2 = f32[4,25]{1,0} fusion(%x, %i, %y), kind=kLoop, calls=%fused_scatter
}
"""

GATHER = """\
%fused_gather (param_0: bf16[1000], param_1: s32[10,1]) -> bf16[10] {
  %param_0 = bf16[1000]{0} parameter(0)
  %bitcast.1 = bf16[1000]{0} bitcast(%param_0)
  %param_1 = s32[10,1]{1,0} parameter(1)
  ROOT %gather.1 = bf16[10]{0} gather(%bitcast.1, %param_1), slice_sizes={1}
}

ENTRY %main.1 (x: bf16[1000], i: s32[10,1]) -> bf16[10] {
  %x = bf16[1000]{0} parameter(0)
  %i = s32[10,1]{1,0} parameter(1)
  ROOT %gather_fusion = bf16[10]{0} fusion(%x, %i), kind=kLoop, calls=%fused_gather
}
"""

# A loop of 5 trips with one kernel, and inside of it a loop of unknown length with two.
LOOPS = """\
%inner_body (p: (f32[100])) -> (f32[100]) {
  %p = (f32[100]{0}) parameter(0)
  %get-tuple-element.1 = f32[100]{0} get-tuple-element(%p), index=0
  %copy.5 = f32[100]{0} copy(%get-tuple-element.1)
  ROOT %tuple.1 = (f32[100]{0}) tuple(%copy.5)
}

%inner_condition (q: (f32[100])) -> pred[] {
  %q = (f32[100]{0}) parameter(0)
  %get-tuple-element.2 = f32[100]{0} get-tuple-element(%q), index=0
  ROOT %custom-call.1 = pred[] custom-call(%get-tuple-element.2), custom_call_target="is_done"
}

%outer_body (r: (f32[100])) -> (f32[100]) {
  %r = (f32[100]{0}) parameter(0)
  %while.1 = (f32[100]{0}) while(%r), condition=%inner_condition, body=%inner_body
  %get-tuple-element.3 = f32[100]{0} get-tuple-element(%while.1), index=0
  %negate.1 = f32[100]{0} negate(%get-tuple-element.3)
  ROOT %tuple.2 = (f32[100]{0}) tuple(%negate.1)
}

%outer_condition (s: (f32[100])) -> pred[] {
  %s = (f32[100]{0}) parameter(0)
  ROOT %constant.1 = pred[] constant(false)
}

ENTRY %main.1 (x: (f32[100])) -> (f32[100]) {
  %x = (f32[100]{0}) parameter(0)
  ROOT %while.2 = (f32[100]{0}) while(%x), condition=%outer_condition, body=%outer_body, \
backend_config={"known_trip_count":{"n":"5"}}
}
"""

BRANCHES = """\
%one (a: f32[100]) -> f32[100] {
  %a = f32[100]{0} parameter(0)
  ROOT %sort.1 = f32[100]{0} sort(%a), dimensions={0}
}

%other (b: f32[100]) -> f32[100] {
  %b = f32[100]{0} parameter(0)
  ROOT %copy.1 = f32[100]{0} copy(%b)
}

ENTRY %main.1 (i: s32[], x: f32[100]) -> f32[100] {
  %i = s32[] parameter(0)
  %x = f32[100]{0} parameter(1)
  ROOT %conditional.1 = f32[100]{0} conditional(%i, %x, %x), branch_computations={%one, %other}
}
"""


@pytest.fixture
def gpu_counts(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu_counts

    return gpu_counts


@pytest.mark.parametrize(
    "text, kernels, launches, moved, loops",
    [
        # Of the second argument ten numbers are read.
        (STRAIGHT, ["loop_fusion", "copy"], 2, 2 * FLOATS + 80 + 80, "-"),
        # Indices and updates are read; what is added to is read and written.
        (SCATTER, ["scatter_fusion"], 1, 80 + 40 + 80, "-"),
        # As many of the thousand numbers as there are indices.
        (GATHER, ["gather_fusion"], 1, 20 + 40 + 20, "-"),
        # Its condition is a kernel where XLA does not know the trips.
        (
            LOOPS,
            ["is_done", "copy", "negate"],
            15,
            5 * (2 * FLOATS + FLOATS + 1 + 2 * FLOATS),
            "?x2 in 5; 5x3",
        ),
        (BRANCHES, ["sort", "copy"], 2, 4 * FLOATS, "-"),
    ],
    ids=["straight", "scatter", "gather", "loops", "branches"],
)
def test_launches_and_bytes_are_those_counted_by_hand(
    gpu_counts, text, kernels, launches, moved, loops
):
    counts = gpu_counts.count(text)
    assert [kernel.name for kernel in counts.kernels] == kernels
    assert (counts.launches, counts.moved) == (launches, moved)
    assert gpu_counts.describe_loops(counts) == loops


def test_text_that_is_no_program_is_refused(gpu_counts):
    with pytest.raises(ValueError, match="ENTRY"):
        gpu_counts.count("module @jit_f {}")


def test_a_kernel_that_only_starts_moves_the_same(gpu_counts):
    started = gpu_counts.count(SCATTER.replace(" fusion(", " fusion-start("))
    assert (started.launches, started.moved) == (1, 80 + 40 + 80)
