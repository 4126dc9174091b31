"""The scan: genomes cut into shards, worked off in process or on Ray, committed one by one."""
