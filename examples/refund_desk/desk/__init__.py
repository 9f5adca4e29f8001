"""The refund desk: an agent that reads customers' tickets and refunds what may be refunded."""
