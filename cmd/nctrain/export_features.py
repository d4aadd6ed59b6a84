import hashlib, json, numpy as np, torch

def export(model, layer, loader, out, head_out):  # layer: the last linear one, e.g. model.fc; loader: un-augmented, in order
    rows, labels, digest = [], [], hashlib.sha256()
    for _, tensor in sorted(model.state_dict().items()):
        digest.update(tensor.double().cpu().numpy().tobytes())
    meta = np.frombuffer(json.dumps({"checkpoint": digest.hexdigest()}).encode(), np.uint8)
    hook = layer.register_forward_hook(lambda _, x, y: rows.append((x[0].float().cpu(), y.float().cpu())))
    with torch.inference_mode():
        for images, target in loader:
            model.eval()(images.to(layer.weight.device))
            labels.append(target)
    hook.remove()
    features, logits = (torch.cat(part).numpy() for part in zip(*rows))
    np.savez(out, features=features, logits=logits, labels=torch.cat(labels).numpy(), meta=meta)
    np.savez(head_out, meta=meta, **{name: p.detach().float().cpu().numpy() for name, p in layer.named_parameters()})
