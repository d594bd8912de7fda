"""`reports/index.html`: what was found, on one page that opens anywhere."""
