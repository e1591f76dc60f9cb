"""Everything that speaks Kafka: tails, end offsets, groups' offsets, samples. Read-only towards a cluster."""
