"""What every estimator stands on: saving, the index behind a model, tuning of its encoder, calibration."""
