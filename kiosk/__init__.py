"""What a kiosk does: visits, journeys, questions and the domain behind them."""
