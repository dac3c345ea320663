"""open_clip and torchvision, imported so that neither needs torchvision's compiled operators.

torchvision registers shapes of its operators `nms` and `qnms` when it is imported, which fails ("operator
torchvision::nms does not exist") where its extension is absent or built for another torch: in a packaged program, which
leaves it out, and beside a torch for the CPU alone. Nothing here ever calls an operator of its, so to know them by name
is enough. Whatever needs open_clip, which imports torchvision, or torchvision itself takes them from here.
"""

import torch

from ml.system.preload import load_libraries

try:
    load_libraries("triton")  # a dependency of torchvision
    import torchvision.datasets
except RuntimeError:  # only after torchvision has tried: declared before, they would clash with its extension's
    operators = torch.library.Library("torchvision", "FRAGMENT")  # its declarations last as long as this object
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.datasets

import open_clip
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

__all__ = ["CLIP", "CLIPTextCfg", "CLIPVisionCfg", "open_clip", "torchvision"]
