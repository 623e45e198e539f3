//! Storey 3: ARP, IP, ICMP, routing.
