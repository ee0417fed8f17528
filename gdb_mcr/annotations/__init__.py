"""The annotation language: `load` reads `*.mcr` files and checks them against two programs."""
