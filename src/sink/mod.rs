//! Where rows go that leave the house: Logstores of SLS.

pub mod sls;
