"""The four kinds as resources of a Kubernetes cluster: what is applied there is submitted here, and told back. Thin,
over `qtasks.client`."""
