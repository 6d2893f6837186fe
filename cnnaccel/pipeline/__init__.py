"""The stages of one network and when they must run again.

    train -> model.pt      quantize -> graph.json, tensors.npz      evaluate -> results.json
    compile -> program.bin, weights.bin, network.json      deploy -> logits.npz, results.json

A stage's inputs are digests: of the part of the configuration it reads, of the data, of the model's
source, of the artifacts before it. It is stale when one differs from what its manifest recorded.
"""
