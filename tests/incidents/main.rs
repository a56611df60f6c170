//! Incidents that people have reported, with records written for these tests, and the program's answers.

mod needs;
mod pasted_text;
mod policies;
mod tags;
