package discover

// Public is for tests: what it refuses is never connected to.
var Public = public
