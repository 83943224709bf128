//! Abstract data types and semantics, as the registries spell them.

/// Declares an enum whose variants have one spelling in the tables.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[expect(missing_docs, reason = "the names are RFC 7012's")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// The registry's spelling.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the registry's spelling.
            pub(super) fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

spelled! {
    /// Abstract data types. RFC 7012 §3.1, RFC 6313 §4, RFC 9740.
    DataType {
        OctetArray = "octetArray",
        Unsigned8 = "unsigned8",
        Unsigned16 = "unsigned16",
        Unsigned32 = "unsigned32",
        Unsigned64 = "unsigned64",
        Unsigned256 = "unsigned256",
        Signed8 = "signed8",
        Signed16 = "signed16",
        Signed32 = "signed32",
        Signed64 = "signed64",
        Float32 = "float32",
        Float64 = "float64",
        Boolean = "boolean",
        MacAddress = "macAddress",
        String = "string",
        DateTimeSeconds = "dateTimeSeconds",
        DateTimeMilliseconds = "dateTimeMilliseconds",
        DateTimeMicroseconds = "dateTimeMicroseconds",
        DateTimeNanoseconds = "dateTimeNanoseconds",
        Ipv4Address = "ipv4Address",
        Ipv6Address = "ipv6Address",
        BasicList = "basicList",
        SubTemplateList = "subTemplateList",
        SubTemplateMultiList = "subTemplateMultiList",
    }
}

spelled! {
    /// Data type semantics. RFC 7012 §3.2.
    Semantics {
        Default = "default",
        Quantity = "quantity",
        TotalCounter = "totalCounter",
        DeltaCounter = "deltaCounter",
        Identifier = "identifier",
        Flags = "flags",
        List = "list",
        SnmpCounter = "snmpCounter",
        SnmpGauge = "snmpGauge",
    }
}
