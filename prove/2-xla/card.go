package main

func onCard() (string, error) { return "no card was at hand", nil }
