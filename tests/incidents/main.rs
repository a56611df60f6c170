//! Incidents that people had, retold in records of our own, and what the program answers.

mod needs;
mod pasted_text;
mod policies;
mod tags;
