//! How kubectl, curl and the system really behave: each trap that concerns the whole program, by its name.
