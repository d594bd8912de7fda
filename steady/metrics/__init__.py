"""Task quality, prompt sensitivity and statistics: pure functions over arrays, and the metric files made of them."""
