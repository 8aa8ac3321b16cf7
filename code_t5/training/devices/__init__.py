"""What the trainer will run on: meshes, GPUs and CUDA libraries, checked before it starts."""
