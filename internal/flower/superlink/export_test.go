package superlink

// GivenAgain is how long after it was given a message that nobody confirmed is given again.
const GivenAgain = givenAgain
