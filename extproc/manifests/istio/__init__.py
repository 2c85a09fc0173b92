"""Istio's own objects, and EnvoyFilters for what those have no field for.

What was looked up in Istio 1.31, because its API does not say it: a DestinationRule counts where
the client is or where the service is, and an EnvoyFilter where the workload is, so that both go to
the namespace of the gateway; patches of one list are applied in their order; a value of a map, such
as a filter's configuration, is replaced as a whole.
"""
