# SPDX-License-Identifier: MIT
"""PyTorch as a peer: a worker that computes what it is told, and says how long it took.

usage: torch_peer.py eager|compile THREADS    (lines on standard input: see peers.py)
"""

import sys

import torch

from net import Net, seconds_of, serve
from torch_nets import make_model, nats
from torch_sampler import make_sampler, naive_seconds

MODE, THREADS = sys.argv[1], int(sys.argv[2])


class Peer:
    def version(self):
        return torch.__version__

    def load(self, path):
        """Makes the net and checks that it computes what ours does; compiles it, if so told."""
        self.net = net = Net(path)
        torch.set_num_threads(THREADS)
        torch.manual_seed(0)
        channels_first = lambda map: torch.from_numpy(map).permute(0, 3, 1, 2)
        self.x = channels_first(net.encoded).contiguous(memory_format=torch.channels_last)
        self.images = channels_first(net.images).long()
        self.model = make_model(net).to(memory_format=torch.channels_last)
        if MODE == "compile":
            # Block by block, so that equal blocks are compiled once.
            self.model.input.compile()
            for block in self.model.blocks:
                block.compile()
            self.model.head = torch.compile(self.model.head)
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-5, alpha=0.95, eps=1e-8)
        # A Spatial LSTM's cells may grow without bound; where they saturate, PyTorch's derivative
        # of tanh, 1 - h², is rounding in float32. Timed in float32 all the same.
        exact = net.kind == "spatial_lstm"
        if exact:
            self.model.double()
        logits = self.model(self.x.double() if exact else self.x)
        loss = nats(logits, net, self.images)
        loss.backward()
        gradients = {}
        for p in self.model.parameters():
            name, order = p.ours
            gradients[name] = p.grad.permute(order).numpy()
        net.check(loss.item(), logits.detach().permute(0, 2, 3, 1).numpy(), gradients)
        self.model.float()
        self.sampler = None
        return "ok"

    def train(self, least):
        def step():
            self.optimizer.zero_grad()
            nats(self.model(self.x), self.net, self.images).backward()
            self.optimizer.step()

        return seconds_of(float(least), step)

    def forward(self, least):
        with torch.inference_mode():
            return seconds_of(float(least), lambda: self.model(self.x))

    def naive(self, count, pixels):
        return naive_seconds(self.model, self.net, int(count), int(pixels))

    def cached(self, count, least):
        """Seconds for `count` images; one image is faster on one thread."""
        torch.set_num_threads(1 if int(count) == 1 else THREADS)
        if self.sampler is None:
            self.sampler = make_sampler(self.net, MODE == "compile")
            self.sampler.check()
        seconds = seconds_of(float(least), lambda: self.sampler.sample(int(count)))
        torch.set_num_threads(THREADS)
        return seconds


if __name__ == "__main__":
    peer = Peer()
    serve({name: getattr(peer, name) for name in dir(peer) if not name.startswith("_")})
