"""The parts of `bench.move`: what is moved, who disturbs it, who spoils it, and who judges."""
