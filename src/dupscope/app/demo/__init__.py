"""`dupscope demo`: a payment pipeline in miniature that makes duplicates at every layer and knows how many.

    producer -> payments -> stand-in mirror -> primary.payments -> consumer -> charge server

Each is a process; the two clusters are librdkafka's mock clusters. What was planted is told by the lists that
producer, mirror and charge server keep, never by dupscope.
"""
