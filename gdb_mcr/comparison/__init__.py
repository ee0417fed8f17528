"""Old build against new build: what continues under which name, what differs, and what that speaks against."""
