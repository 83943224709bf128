//! Where rows go that leave the house.

pub mod sls;
