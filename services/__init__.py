"""The event-driven services, which communicate only through queues."""
