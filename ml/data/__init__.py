"""Data sets as uint8 tensors: MNIST and its kin, CIFAR-10, synthetic digits, any folder of images."""
