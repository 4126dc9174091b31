"""Jobs on given sequences: score them, explain the score, train and evaluate the network of the paper."""
