"""The pages of the control room, a module each. They only compose."""
