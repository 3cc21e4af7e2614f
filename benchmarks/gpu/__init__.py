"""The sections of `gpu_check`: what needs a GPU to be seen right and fast."""
