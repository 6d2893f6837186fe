// Options of slang: every warning but those that are of no use here, one per cause.
-Werror
-Wextra
-Wpedantic

// Signals named unused_ are read by nobody on purpose; Verilator checks the others.
-Wno-unused-but-set-variable
// The house wants a default in every case, unique or not.
-Wno-case-redundant-default
// A cast may be of use for another engine, whose constants are others.
-Wno-useless-cast
