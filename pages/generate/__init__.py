"""The views of the Generate page: exploring, latent tools, projections and pools."""
