"""What tests share: the bed of containers, the load client, the apps they drive; any test may enter."""
