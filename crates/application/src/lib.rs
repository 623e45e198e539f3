//! Storey 7: DNS, HTTP, the load balancer, and the client programs.
