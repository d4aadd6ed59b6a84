"""PyTorch's side of GPU acceptance: one process that times whatever it is asked to, so that rounds can be interleaved with nctrain's.

Usage: python torch_peer.py cuda|cpu     (needs bench/pytorch/resnet18.py beside it or in ../pytorch)

It writes a line of JSON that says what it is, {"torch", "cuda", "cudnn", "device"} or {"error"}, then answers each request, a line of JSON on standard input,
by a line {"ms": [milliseconds of each sample]} or {"error"}:

  {"task": "train"|"infer", "precision": "fp32"|"tf32"|"bf16", "channels_last": bool, "compile": ""|backend, "width", "batch", "samples"}
      a training step (forward, loss, backward, SGD) or the forward pass in eval mode of SPEC's ResNet-18 on 100 classes; bf16 is autocast.
  {"task": "conv", "op": "conv_fprop"|"conv_dgrad"|"conv_wgrad", "precision", "shape": [n,h,w,c,k,r,s,stride,pad], "cache_bytes", "samples"}
      one convolution in channels_last with cudnn.benchmark; calls rotate over operands of cache_bytes together, and on CUDA are one captured graph.
"""

import json
import pathlib
import sys
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "pytorch")]


def say(**what):
    print(json.dumps(what), flush=True)


try:
    import torch
    from torch.nn import functional as F

    from resnet18 import ResNet18
except Exception as e:
    say(error=f"{type(e).__name__}: {e}")
    sys.exit(0)

device = sys.argv[1]
on_cuda = device == "cuda"
WARM_UP = 3
MOST_SETS = 64  # of operands that calls rotate over


def set_precision(precision):
    torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def timed(run, samples):
    """Milliseconds of each of some calls of run, queued back to back as a training loop queues them."""
    for _ in range(WARM_UP):
        run()
    if not on_cuda:
        times = []
        for _ in range(samples):
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
        return times
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(samples + 1)]
    torch.cuda.synchronize()
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(marks, marks[1:])]


networks = {}  # by request: a compiled one is kept from round to round


def network(task, precision, channels_last, compile, width, batch):
    key = (task, precision, channels_last, compile, width, batch)
    if key in networks:
        return networks[key]
    torch.manual_seed(47)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = ResNet18(100, width).to(device).to(memory_format=layout).train(task == "train")
    forward = torch.compile(model, backend=compile) if compile else model
    x = torch.randn(batch, 3, 32, 32, device=device).contiguous(memory_format=layout)
    y = torch.randint(0, 100, (batch,), device=device)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    autocast = lambda: torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")

    def train():
        sgd.zero_grad()
        with autocast():
            loss = F.cross_entropy(forward(x)[1], y)
        loss.backward()
        sgd.step()

    def infer():
        with torch.no_grad(), autocast():
            forward(x)

    networks[key] = train if task == "train" else infer
    return networks[key]


def convolution(op, precision, shape, cache_bytes):
    """A function that runs the convolution on each of several sets of operands, and how many there are."""
    n, h, w, c, k, r, s, stride, pad = shape
    p, q = (h + 2 * pad - r) // stride + 1, (w + 2 * pad - s) // stride + 1
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    size = torch.finfo(dtype).bits // 8 * (n * h * w * c + k * r * s * c + n * p * q * k)
    count = min(max(-(-cache_bytes // size), 2), MOST_SETS)

    def fresh(*dims):
        return torch.randn(*dims, device=device).to(dtype).contiguous(memory_format=torch.channels_last)

    sets = [(fresh(n, c, h, w), fresh(k, c, r, s), fresh(n, k, p, q)) for _ in range(count)]
    geometry = ([stride, stride], [pad, pad], [1, 1], False, [0, 0], 1)
    forward, backward = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
    one = {
        "conv_fprop": lambda x, w, dy: forward(x, w, None, *geometry),
        "conv_dgrad": lambda x, w, dy: backward(dy, x, w, None, *geometry, [True, False, False]),
        "conv_wgrad": lambda x, w, dy: backward(dy, x, w, None, *geometry, [False, True, False]),
    }[op]

    def run():
        return [one(*operands) for operands in sets]  # all results at once, so that they rotate too

    if not on_cuda:
        return run, count
    side = torch.cuda.Stream()  # what is captured has chosen its algorithm before, on a stream that is not the default one
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run()
    return (lambda held=(sets, results): graph.replay()), count  # the graph reads and writes them, but does not hold them


def answer(request):
    task, samples = request.pop("task"), request.pop("samples")
    set_precision(request["precision"])
    if task == "conv":
        if on_cuda:
            torch.cuda.empty_cache()  # of the graphs before
        run, count = convolution(**request)
        return [ms / count for ms in timed(run, samples)]
    return timed(network(task, **request), samples)


if on_cuda and not torch.cuda.is_available():
    say(error=f"torch {torch.__version__} sees no CUDA device")
    sys.exit(0)
torch.backends.cudnn.benchmark = True
say(
    torch=torch.__version__,
    cuda=torch.version.cuda or "",
    cudnn=str(torch.backends.cudnn.version() if on_cuda else ""),
    device=torch.cuda.get_device_name() if on_cuda else "cpu",
)
for line in sys.stdin:
    try:
        say(ms=answer(json.loads(line)))
    except Exception as e:
        first = (str(e).strip() or "no message").splitlines()[0]
        say(error=f"{type(e).__name__}: {first}")
