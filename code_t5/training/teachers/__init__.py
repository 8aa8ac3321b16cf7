"""Teachers, asked once for many samples, so that students need not ask them again."""
