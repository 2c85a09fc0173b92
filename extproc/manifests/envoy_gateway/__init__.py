"""Objects for Envoy Gateway: the Gateway API's own, and Envoy Gateway's where that has no field.

What was looked up in Envoy Gateway 1.9, because it is not said in its API: filters that a policy
brings are switched on by the route that matches *first*, so that all that concerns the decision
hangs on the routes of undecided requests, and nothing that an agent needs may be such a filter.
"""
