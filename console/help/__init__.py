"""What each screen is for and who may do what there (decision 40/2016/QĐ-UBND art. 6.2)."""
