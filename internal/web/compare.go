package web

const maxCompared = 8
